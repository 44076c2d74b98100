package main

// siteName is the name of the site on its pages. A password that has little more in it
// than this name is refused.
const siteName = "The tea house"

// goodsTitle is the heading of the list of goods.
const goodsTitle = "Our teas"

// goods is what the shop sells.
var goods = []string{"Assam", "Darjeeling", "Earl Grey", "Oolong", "Sencha"}
