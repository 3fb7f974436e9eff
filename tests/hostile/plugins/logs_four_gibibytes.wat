;; A string that is longer than the memory that it should be in.
(import "retrans:plugin/host@0.1.0" "log" (func $log (param i32 i32 i32)))
(func (export "retrans:plugin/processor@0.1.0#process") (param i32 i32 i32 i32) (result i32)
  (call $log (i32.const 0) (i32.const 1024) (i32.const 0xffffffff))
  (i32.const 0))
