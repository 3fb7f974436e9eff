;; A string of one byte that begins no character.
(import "retrans:plugin/host@0.1.0" "log" (func $log (param i32 i32 i32)))
(data (i32.const 1024) "\ff")
(func (export "retrans:plugin/processor@0.1.0#process") (param i32 i32 i32 i32) (result i32)
  (call $log (i32.const 0) (i32.const 1024) (i32.const 1))
  (i32.const 0))
