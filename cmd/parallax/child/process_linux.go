package child

import "syscall"

// attributes of a child. It has a process group of its own, so that Ctrl-C
// reaches only this process, which then stops the others in order; and should
// this process be killed, the child is told to end.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
