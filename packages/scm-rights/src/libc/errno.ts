/** Error numbers of Linux that code here acts upon, positive as errno(3) has them; the same on all our architectures. */
export const EINTR = 4;
export const EAGAIN = 11;
export const EMFILE = 24;
export const EMSGSIZE = 90;
export const ENOTCONN = 107;
export const ECONNABORTED = 103;
export const ECONNRESET = 104;
export const ECONNREFUSED = 111;
