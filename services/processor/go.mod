module parallax.example/services/processor

go 1.26.8

require parallax.example/internal v0.0.0

replace parallax.example/internal => ../../internal
