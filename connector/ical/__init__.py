"""Pure text: entries as VEVENTs, sessions as iTIP messages, messages as mail."""
