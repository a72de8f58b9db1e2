/* TFTP clients that cost less than any server: tftp_client SERVER PORT FILE BLKSIZE WINDOWSIZE CLIENTS

   Each client has an address of its own (127.0.1.1 and on), fetches FILE once, all at the same time.
   Windows are acknowledged as RFC 7440 says; windowsize 1 is the lock-step of RFC 1350. Prints the bytes received, the
   seconds it took, and how many datagrams were not the expected ones. Exits 1 after ten seconds of silence or an ERROR. */

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 250, LONGEST = 65536 };
enum { DATA = 3, ACK = 4, OACK = 6 };

struct client {
    int socket;
    struct sockaddr_in server; /* the port that the first answer came from */
    uint16_t block;            /* the last one received in order */
    int unacknowledged;
};

static struct client clients[MOST];
static int blksize, windowsize, count, finished;
static unsigned long long bytes, unexpected;

static void fail(const char *why) {
    fprintf(stderr, "tftp_client: %s after %llu bytes, %d of %d done\n", why, bytes, finished, count);
    exit(1);
}

static void acknowledge(struct client *client) {
    unsigned char ack[4] = {0, ACK, client->block >> 8, client->block & 0xff};
    client->unacknowledged = 0;
    sendto(client->socket, ack, sizeof ack, 0, (struct sockaddr *)&client->server, sizeof client->server);
}

static void begin(struct client *client, int number, char **argv) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000101 + number)};
    char request[600] = {0, 1};
    int most = 4 << 20, length = 2;
    length += sprintf(request + length, "%.400s", argv[3]) + 1;
    length += sprintf(request + length, "octet") + 1;
    length += sprintf(request + length, "blksize") + 1;
    length += sprintf(request + length, "%d", blksize) + 1;
    if (windowsize > 1) {
        length += sprintf(request + length, "windowsize") + 1;
        length += sprintf(request + length, "%d", windowsize) + 1;
    }
    client->server = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])), .sin_addr.s_addr = inet_addr(argv[1])};
    client->socket = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    setsockopt(client->socket, SOL_SOCKET, SO_RCVBUF, &most, sizeof most);
    if (bind(client->socket, (struct sockaddr *)&own, sizeof own) < 0)
        fail("bind");
    sendto(client->socket, request, length, 0, (struct sockaddr *)&client->server, sizeof client->server);
}

static void take_data(struct client *client, const unsigned char *datagram, ssize_t length) {
    uint16_t block = datagram[2] << 8 | datagram[3];
    if (block != (uint16_t)(client->block + 1)) {
        unexpected++;
        if (windowsize > 1 && client->unacknowledged >= 0)
            acknowledge(client);
        client->unacknowledged = -1; /* one ACK for a gap */
        return;
    }
    if (client->unacknowledged < 0)
        client->unacknowledged = 0;
    client->block = block;
    client->unacknowledged++;
    bytes += length - 4;
    int last = length - 4 < blksize;
    if (last || client->unacknowledged >= windowsize)
        acknowledge(client);
    if (last) {
        close(client->socket);
        client->socket = -1;
        finished++;
    }
}

static void take(struct client *client) {
    unsigned char datagram[LONGEST];
    while (client->socket >= 0) {
        socklen_t room = sizeof client->server;
        ssize_t length =
            recvfrom(client->socket, datagram, sizeof datagram, 0, (struct sockaddr *)&client->server, &room);
        if (length < 4)
            return;
        if (datagram[1] == DATA)
            take_data(client, datagram, length);
        else if (datagram[1] == OACK)
            acknowledge(client);
        else
            fail("an ERROR");
        if (windowsize == 1)
            return; /* in lock-step nothing more has come */
    }
}

int main(int argc, char **argv) {
    struct epoll_event events[MOST];
    struct timespec start, end;
    int all = epoll_create1(0);
    if (argc != 7 || (count = atoi(argv[6])) > MOST)
        return 2;
    blksize = atoi(argv[4]);
    windowsize = atoi(argv[5]);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int number = 0; number < count; number++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
        begin(&clients[number], number, argv);
        epoll_ctl(all, EPOLL_CTL_ADD, clients[number].socket, &event);
    }
    while (finished < count) {
        int ready = epoll_wait(all, events, MOST, 10000);
        if (ready == 0)
            fail("silence");
        for (int one = 0; one < ready; one++)
            take(&clients[events[one].data.u32]);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%llu %.6f %llu\n", bytes, end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9, unexpected);
    return 0;
}
