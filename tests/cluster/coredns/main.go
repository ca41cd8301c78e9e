// Command coredns is CoreDNS with only the plugins the cluster's DNS needs.
//
// CoreDNS fixes its plugins at compile time; its own main links fifty, and with them the clients of three clouds.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
)

func main() {
	// The order is the order in which a query passes them.
	dnsserver.Directives = []string{"bind", "errors", "kubernetes"}
	coremain.Run()
}
