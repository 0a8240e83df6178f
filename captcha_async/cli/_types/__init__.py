"""`captcha-async types`: what can be solved, and with which fields."""
