"""`leitmotif eval robustness`: what hostile text gains, in the ranking and in what is stored, with and without our defences.

attacks.py reads attack texts and applies them, ranking.py has them compete, planting.py has a model that obeys them write,
document.py puts the figures together. The texts lie in eval/attacks; others' files are read in the same form.
"""
