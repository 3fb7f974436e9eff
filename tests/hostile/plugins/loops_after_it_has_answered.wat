;; The function that frees an answer runs after the call.
(func (export "cabi_post_retrans:plugin/processor@0.1.0#process") (param i32)
  (loop $again (br $again)))
