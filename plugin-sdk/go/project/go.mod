module example.com/{{name}}

go 1.24

require retrans v0.0.0

replace retrans => ./retrans
