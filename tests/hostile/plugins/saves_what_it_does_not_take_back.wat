;; It fails on more than one event, saves without an error, and then `restore` refuses the state with a
;; long message.
(func (export "retrans:plugin/processor@0.1.0#process") (param $count i32) (param i32 i32 i32) (result i32)
  (if (i32.gt_u (local.get $count) (i32.const 1)) (then (unreachable)))
  (i32.const 0))
(func (export "retrans:plugin/state@0.1.0#restore") (param i32 i32 i32) (result i32)
  (memory.fill (i32.const 10000) (i32.const 65) (i32.const 4000))
  (i32.store (i32.const 3100) (i32.const 1))
  (i32.store (i32.const 3104) (i32.const 10000))
  (i32.store (i32.const 3108) (i32.const 4000))
  (i32.const 3100))
