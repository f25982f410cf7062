"""Training, fine-tuning, and what each is trained on."""
