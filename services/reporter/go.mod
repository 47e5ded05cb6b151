module parallax.example/services/reporter

go 1.26.8

require parallax.example/internal v0.0.0

require github.com/HdrHistogram/hdrhistogram-go v1.4.0 // indirect

replace parallax.example/internal => ../../internal
