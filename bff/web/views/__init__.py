"""The routes of views: from parameters to a conducted or cached answer."""
