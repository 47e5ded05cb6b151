module parallax.example/integration

go 1.26.8

require parallax.example/internal v0.0.0
require parallax.example/services/generator v0.0.0
require parallax.example/services/processor v0.0.0
require parallax.example/services/batch v0.0.0
require parallax.example/services/reporter v0.0.0
require parallax.example/cmd/parallax v0.0.0

replace parallax.example/internal => ../internal
replace parallax.example/services/generator => ../services/generator
replace parallax.example/services/processor => ../services/processor
replace parallax.example/services/batch => ../services/batch
replace parallax.example/services/reporter => ../services/reporter
replace parallax.example/cmd/parallax => ../cmd/parallax
