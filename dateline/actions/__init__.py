"""One function an act of an operator; command line, web and clock all call these."""
