"""ReSTR: encoders, multimodal fusion, adaptive classifier and decoder, put together as in the paper's figure."""
