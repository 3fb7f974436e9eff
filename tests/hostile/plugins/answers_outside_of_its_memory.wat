;; An answer whose first byte is the memory's last one.
(func (export "retrans:plugin/processor@0.1.0#process") (param i32 i32 i32 i32) (result i32)
  (i32.const 524284))
