/* Ranges of IP addresses, and whether an address lies in one.
 *
 * An address is 16 bytes, in network byte order; of IPv4 it is the mapped one, ::ffff:a.b.c.d, which is how a socket
 * for both shows it, too. Pure; any thread. */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include <stdbool.h>
#include <sys/socket.h>

enum { NETWORK_ADDRESS_BYTES = 16 };

struct network {
    unsigned char address[NETWORK_ADDRESS_BYTES];
    unsigned bits; /* that count, of 128 */
};

/* Reads an address, or a range such as 10.0.0.0/8 or 2001:db8::/32. False where it is neither. */
bool network_parse(const char *text, struct network *network);

/* A range of IPv6 that is shorter than what all of IPv4 is mapped into (::/0) holds no address of IPv4. */
bool network_contains(const struct network *network, const unsigned char address[NETWORK_ADDRESS_BYTES]);

/* The address of a peer; false where it has none (a UNIX socket). */
bool network_of_peer(const struct sockaddr *peer, unsigned char address[NETWORK_ADDRESS_BYTES]);

/* The last address of an X-Forwarded-For header, which is the one that the nearest proxy has added; a port behind it is
 * left out. False where there is no address. */
bool network_last_hop(const char *forwarded, unsigned char address[NETWORK_ADDRESS_BYTES]);

#endif
