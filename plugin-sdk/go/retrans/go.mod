module retrans

go 1.24
