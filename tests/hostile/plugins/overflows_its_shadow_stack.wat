;; The same with a shadow stack at the start of linear memory, as in Rust: below it is nothing.
(global $stack_pointer (mut i32) (i32.const 65536))
(func $recurse
  (global.set $stack_pointer (i32.sub (global.get $stack_pointer) (i32.const 64)))
  (i32.store (global.get $stack_pointer) (i32.const 1))
  (call $recurse))
(func (export "retrans:plugin/processor@0.1.0#process") (param i32 i32 i32 i32) (result i32)
  (call $recurse)
  (i32.const 0))
