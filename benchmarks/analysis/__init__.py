"""How well tracks are analysed: patterns whose beats are known, in many styles, scored by mir_eval."""
