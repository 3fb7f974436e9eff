;; An error, in one byte that begins no character.
(data (i32.const 1024) "\01\00\00\00\10\04\00\00\01\00\00\00")
(data (i32.const 1040) "\ff")
(func (export "retrans:plugin/processor@0.1.0#process") (param i32 i32 i32 i32) (result i32)
  (i32.const 1024))
