;; Success, but with more keep bits than fit into the memory.
(data (i32.const 1024) "\00\00\00\00\02\00\00\00\00\00\00\00\ff\ff\ff\ff")
(func (export "retrans:plugin/processor@0.1.0#process") (param i32 i32 i32 i32) (result i32)
  (i32.const 1024))
