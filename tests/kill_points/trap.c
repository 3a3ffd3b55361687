/* Ends the process that it is loaded into (LD_PRELOAD) by SIGKILL at the n-th thing of a kind that it does, and counts
 * those things where the test can read it afterwards.
 *
 *   TRAP_KINDS   up to KINDS_MAX of them, joined by ';':
 *                file:PART        a file whose path holds PART is written to, renamed or removed: killed before it is
 *                sent:PORT        bytes leave for a TCP peer at PORT: killed before they do
 *                received:PORT    bytes of such a peer have come: killed before anybody has looked at them
 *   TRAP_MEMORY  a file of KINDS_MAX + 2 64-bit numbers: how often each kind has happened; then the kind that kills, from 1
 *                on (0: none does), and how many of it are let pass. The test may write these two at any time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define KINDS_MAX 8

enum doing { FILE_CHANGE, SEND, RECEIVE };

struct kind {
    enum doing doing;
    const char *part; /* of a file's path */
    int port;
};

static struct kind kinds[KINDS_MAX];
static int kinds_known;

static struct memory {
    _Atomic uint64_t counts[KINDS_MAX];
    _Atomic uint64_t fatal_kind;
    _Atomic uint64_t let_pass;
} *memory;

static void learn_kind(char *text)
{
    struct kind *kind = &kinds[kinds_known++];
    char *what = strchr(text, ':');
    if (what == NULL)
        abort();
    *what++ = 0;
    kind->doing = strcmp(text, "file") == 0 ? FILE_CHANGE : strcmp(text, "sent") == 0 ? SEND : RECEIVE;
    kind->part = what;
    kind->port = atoi(what);
}

__attribute__((constructor)) static void begin(void)
{
    const char *named = getenv("TRAP_KINDS"), *path = getenv("TRAP_MEMORY");
    if (named == NULL || path == NULL)
        return;
    int fd = open(path, O_RDWR);
    void *shared = mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || shared == MAP_FAILED)
        abort();
    close(fd);
    char *rest = strdup(named), *text;
    while ((text = strsep(&rest, ";")) != NULL && kinds_known < KINDS_MAX)
        learn_kind(text);
    memory = shared;
}

static void happens(int kind)
{
    uint64_t before = atomic_fetch_add(&memory->counts[kind], 1);
    if (memory->fatal_kind == (uint64_t)kind + 1 && before >= memory->let_pass)
        for (;;)
            kill(getpid(), SIGKILL);
}

static void file_changes(const char *path)
{
    for (int kind = 0; memory != NULL && kind < kinds_known; kind++)
        if (kinds[kind].doing == FILE_CHANGE && strstr(path, kinds[kind].part) != NULL)
            happens(kind);
}

static void written_to(int fd)
{
    char link[32], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = memory == NULL ? -1 : readlink(link, path, sizeof path - 1);
    if (length < 0)
        return;
    path[length] = 0;
    file_changes(path);
}

static void exchanged(int fd, enum doing doing)
{
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    if (memory == NULL || getpeername(fd, (struct sockaddr *)&peer, &length) != 0 || peer.sin_family != AF_INET)
        return;
    for (int kind = 0; kind < kinds_known; kind++)
        if (kinds[kind].doing == doing && kinds[kind].port == ntohs(peer.sin_port))
            happens(kind);
}

static ssize_t received(int fd, ssize_t length)
{
    if (length > 0)
        exchanged(fd, RECEIVE);
    return length;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    written_to(fd);
    exchanged(fd, SEND);
    return syscall(SYS_write, fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    written_to(fd);
    exchanged(fd, SEND);
    return syscall(SYS_writev, fd, parts, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    written_to(fd);
    return syscall(SYS_pwrite64, fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    return pwrite64(fd, bytes, length, offset);
}

int ftruncate64(int fd, off64_t length)
{
    written_to(fd);
    return syscall(SYS_ftruncate, fd, length);
}

int ftruncate(int fd, off_t length)
{
    return ftruncate64(fd, length);
}

int rename(const char *from, const char *to)
{
    file_changes(from);
    file_changes(to);
    return syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int unlink(const char *path)
{
    file_changes(path);
    return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
    exchanged(fd, SEND);
    return syscall(SYS_sendto, fd, bytes, length, flags, to, to_length);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    return sendto(fd, bytes, length, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    exchanged(fd, SEND);
    return syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t read(int fd, void *bytes, size_t length)
{
    return received(fd, syscall(SYS_read, fd, bytes, length));
}

ssize_t readv(int fd, const struct iovec *parts, int count)
{
    return received(fd, syscall(SYS_readv, fd, parts, count));
}

ssize_t recvfrom(int fd, void *bytes, size_t length, int flags, struct sockaddr *from, socklen_t *from_length)
{
    return received(fd, syscall(SYS_recvfrom, fd, bytes, length, flags, from, from_length));
}

ssize_t recv(int fd, void *bytes, size_t length, int flags)
{
    return recvfrom(fd, bytes, length, flags, NULL, NULL);
}
