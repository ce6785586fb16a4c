"""Does a domain of unlabelled videos teach a model something for videos it has not seen?"""
