"""The description of the API: what routes declare, and the document made from it."""
