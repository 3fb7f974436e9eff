;; Events are kept all, none, or by bits; the discriminant of this answer is none of these.
(data (i32.const 1024) "\00\00\00\00\03\00\00\00")
(func (export "retrans:plugin/processor@0.1.0#process") (param i32 i32 i32 i32) (result i32)
  (i32.const 1024))
