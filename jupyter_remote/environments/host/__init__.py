"""What builds an environment on a host: sent as the code of a run, as one text (`create.builder_text`).

Python 3.8, standard library only, and of this package only what stands in this folder. The modules are joined
without their imports of each other, so a name means one thing in all of them.
"""
