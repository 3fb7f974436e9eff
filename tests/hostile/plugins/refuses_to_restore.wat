;; It fails in the 100th second of the stream, and then `restore` returns an error.
(func (export "retrans:plugin/timer@0.1.0#tick") (param $now i64) (result i32)
  (if (i64.eq (local.get $now) (i64.const 1100_000_000_000)) (then (unreachable)))
  (i32.const 0))
(data (i32.const 1024) "\01\00\00\00\10\04\00\00\0a\00\00\00")
(data (i32.const 1040) "not today!")
(func (export "retrans:plugin/state@0.1.0#restore") (param i32 i32 i32) (result i32)
  (i32.const 1024))
