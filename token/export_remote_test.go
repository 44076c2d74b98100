package token

// NewRemoteKeySetVia lets tests answer in the place of the network.
var NewRemoteKeySetVia = newRemoteKeySet
