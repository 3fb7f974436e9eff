;; The start function, which runs before any export can be called, never returns.
(func $start (loop $again (br $again)))
(start $start)
