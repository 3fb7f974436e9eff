;; Compilers keep a shadow stack in linear memory. Where data lies below it, deep recursion overwrites
;; the data, and nothing traps: here all state of the plugin, up to its answer.
(global $stack_pointer (mut i32) (i32.const 65536))
(func $recurse (local $frame i32)
  (if (i32.eqz (global.get $stack_pointer)) (then (return)))
  (local.set $frame (i32.sub (global.get $stack_pointer) (i32.const 64)))
  (global.set $stack_pointer (local.get $frame))
  (memory.fill (local.get $frame) (i32.const 0xff) (i32.const 64))
  (call $recurse))
(func (export "retrans:plugin/processor@0.1.0#process") (param i32 i32 i32 i32) (result i32)
  (call $recurse)
  (i32.const 0))
