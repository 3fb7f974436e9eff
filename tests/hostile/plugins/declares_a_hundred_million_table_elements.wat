;; A table takes no linear memory, but memory of the host.
(table 100000000 funcref)
