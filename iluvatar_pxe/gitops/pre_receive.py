"""The program of the fleet's pre-receive hook: ``python -m iluvatar_pxe.gitops.pre_receive BRANCH``; see ``hook``."""

import gc

if __name__ == "__main__":
    gc.disable()  # modules stay: looking for garbage among them, now or later, takes a sixth of the time
    from iluvatar_pxe.gitops.hook import main

    gc.freeze()
    gc.enable()
    main()
