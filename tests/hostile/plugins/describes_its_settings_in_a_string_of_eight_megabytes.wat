(memory (export "memory") 200)
(data (i32.const 3000) "settings")
;; What it is called, and what it is.
(data (i32.const 3024) "\b8\0b\00\00\08\00\00\00\00\00\10\00\00\12\7a\00")
;; One such pair.
(data (i32.const 3056) "\d0\0b\00\00\01\00\00\00")
(func (export "retrans:plugin/processor@0.1.0#describe") (result i32)
  (memory.fill (i32.const 1048576) (i32.const 65) (i32.const 8000000))
  (i32.store8 (i32.const 1048576) (i32.const 34))
  (i32.store8 (i32.const 9048575) (i32.const 34))
  (i32.const 3056))
