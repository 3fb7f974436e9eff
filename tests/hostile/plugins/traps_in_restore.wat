;; It fails in the 100th second of the stream, and then traps in `restore`.
(func (export "retrans:plugin/timer@0.1.0#tick") (param $now i64) (result i32)
  (if (i64.eq (local.get $now) (i64.const 1100_000_000_000)) (then (unreachable)))
  (i32.const 0))
(func (export "retrans:plugin/state@0.1.0#restore") (param i32 i32 i32) (result i32)
  (unreachable))
