"""`captcha-async solve` and `collect`: one captcha, its answer alone on standard output."""
