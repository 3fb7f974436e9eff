;; A table takes no linear memory, but as much of the host's.
(table 100000000 funcref)
