;; The function that runs before any export can be called never returns.
(func $start (loop $again (br $again)))
(start $start)
