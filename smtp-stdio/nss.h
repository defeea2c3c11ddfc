/*
 * nss.h -- users whom /etc/passwd does not have, but another of nsswitch.conf(5)'s sources.  Trusted
 * side.
 */
#ifndef NSS_H
#define NSS_H

#include "../sandbox/identity.h"

/* Begin an address, whose names have NSS_LIMIT together. */
void nss_begin(void);

/*
 * Ask getent(1), which has the C library's plug-ins as this program does not; as nobody, if we are
 * root.  The name must be one that users_safe() has passed.  Unknown if it does
 * not say yes or no; that is logged.
 */
enum identity_found nss_find(const char *name, struct identity *who);

#endif
