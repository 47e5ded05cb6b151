package parallax
