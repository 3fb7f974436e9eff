;; One pair of key and value, of which the key is one byte that begins no character.
(data (i32.const 1024) "\08\04\00\00\01\00\00\00")
(data (i32.const 1032) "\18\04\00\00\01\00\00\00\18\04\00\00\01\00\00\00")
(data (i32.const 1048) "\ff")
(func (export "retrans:plugin/processor@0.1.0#describe") (result i32)
  (i32.const 1024))
