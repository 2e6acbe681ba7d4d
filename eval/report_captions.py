"""What stands above the tables of a report."""

HIDDEN = "Histories that tempt to conclude what a person is, and how many of the profiles say so."
HOSTILE = "How often hostile text reaches the top three, or what is stored."
CITED = "How much further the score falls without what a reason cites than without as much at random; what is true."
ASKED = "Strangers before and after one answer, by how the question was chosen, and with what their like chose."
WRITTEN = "Texts of one planted interest, each of another user, clustered; and the next item ranked by cosine alone."
