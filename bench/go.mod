module parallax.example/bench

go 1.26.8

replace parallax.example/internal => ../internal

replace parallax.example/services/generator => ../services/generator

replace parallax.example/services/processor => ../services/processor

replace parallax.example/services/batch => ../services/batch

replace parallax.example/services/reporter => ../services/reporter
