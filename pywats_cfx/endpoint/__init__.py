"""An endpoint among CFX endpoints: asking and asked, present on the network, with a broker and without."""
