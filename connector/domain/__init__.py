"""Pure rules, standard library only: values in, values and facts out."""
