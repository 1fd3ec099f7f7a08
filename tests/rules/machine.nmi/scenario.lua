nmi()
