;; The function that takes an answer back runs after the call.
(func (export "cabi_post_retrans:plugin/processor@0.1.0#process") (param i32)
  (loop $again (br $again)))
