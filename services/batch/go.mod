module parallax.example/services/batch

go 1.26.8

require parallax.example/internal v0.0.0

replace parallax.example/internal => ../../internal
