"""The paper's networks and the loop that samples from them.

Shapes everywhere in this room: ``b`` batch, ``f`` frames, ``c`` channels, ``h w`` latent size, ``H W`` pixels,
``n`` tokens, ``d`` width, ``r`` reference pictures of one person. Pictures are float [-1, 1] ``(f 3 H W)``,
pose maps float [0, 1], latents already multiplied by the VAE's scaling factor.
"""
