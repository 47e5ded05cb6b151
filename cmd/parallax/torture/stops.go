package torture

var stopRows = []row{}
